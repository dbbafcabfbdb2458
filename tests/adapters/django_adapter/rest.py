"""The part of the tests' site that is written with Django REST framework."""

from typing import Any

from django.contrib.auth.models import User
from django.urls import path
from rest_framework import exceptions, permissions, routers, serializers, viewsets
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView


class Signed(APIView):
    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request: Any) -> Response:
        return Response({"user": request.user.pk})

    post = get


class Staff(Signed):
    permission_classes = (permissions.IsAdminUser,)


class Expired(BasicAuthentication):
    """As an authenticator with codes of its own has it, such as one for JSON web tokens."""

    def authenticate(self, request: Any) -> Any:
        raise exceptions.AuthenticationFailed("expired", code="token_not_valid")


class OnePerHour(AnonRateThrottle):
    rate = "1/hour"


class Throttled(APIView):
    authentication_classes = ()
    throttle_classes = (OnePerHour,)

    def get(self, request: Any) -> Response:
        return Response({})


class Number(serializers.Serializer):
    number = serializers.IntegerField()


class Validated(APIView):
    authentication_classes = ()

    def post(self, request: Any) -> Response:
        Number(data=request.data).is_valid(raise_exception=True)
        return Response({})


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ("username",)


class Users(viewsets.ReadOnlyModelViewSet):
    authentication_classes = ()
    queryset = User.objects.all()
    serializer_class = UserSerializer


router = routers.SimpleRouter()
router.register("users", Users)

urlpatterns = [
    path("basic", Signed.as_view(authentication_classes=[BasicAuthentication])),
    path("session", Signed.as_view(authentication_classes=[SessionAuthentication])),
    path("token", Signed.as_view(authentication_classes=[TokenAuthentication])),
    path("expired", Signed.as_view(authentication_classes=[Expired])),
    path("staff", Staff.as_view(authentication_classes=[TokenAuthentication])),
    path("throttled", Throttled.as_view()),
    path("validated", Validated.as_view()),
    *router.urls,
]
